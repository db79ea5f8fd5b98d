import type { Route } from "../../../openapi/route.ts";
import {
  assemblyaiParagraphsRoute,
  assemblyaiSentencesRoute,
  assemblyaiSrt,
  assemblyaiVtt,
  assemblyaiWordSearch,
} from "./parts.ts";
import { assemblyaiCreate, assemblyaiDelete, assemblyaiGet, assemblyaiList } from "./transcripts.ts";
import { assemblyaiUpload } from "./upload.ts";

export const assemblyaiRoutes: readonly Route[] = [
  ...[assemblyaiUpload, assemblyaiCreate, assemblyaiList, assemblyaiGet, assemblyaiDelete],
  ...[assemblyaiSentencesRoute, assemblyaiParagraphsRoute, assemblyaiSrt, assemblyaiVtt, assemblyaiWordSearch],
];

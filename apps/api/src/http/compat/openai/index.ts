import type { Route } from "../../../openapi/route.ts";
import { openaiModel, openaiModels } from "./models.ts";
import { openaiTranscription, openaiTranslation } from "./transcriptions.ts";

export const openaiRoutes: readonly Route[] = [openaiTranscription, openaiTranslation, openaiModels, openaiModel];

export {
  type ChatCall,
  type ChatFault,
  type ChatStandIn,
  startChatStandIn,
} from "./chat-stand-in/start-chat-stand-in.ts";
export { createTestDatabase, type TestDatabase } from "./create-test-database.ts";
export { sampleDialogue, speechFixture } from "./fixtures.ts";
export { freePort } from "./free-port.ts";
export { type GcsFault, type GcsStandIn, startGcsStandIn } from "./gcs-stand-in/start-gcs-stand-in.ts";
export { makeWav, type Signal, silence, tone } from "./make-wav.ts";
export type { ProviderFault } from "./provider-stand-ins/serve-with-faults.ts";
export { type AssemblyaiStandIn, startAssemblyaiStandIn } from "./provider-stand-ins/start-assemblyai-stand-in.ts";
export { type HeardWord, type OpenaiStandIn, startOpenaiStandIn } from "./provider-stand-ins/start-openai-stand-in.ts";
export { type S3Server, startS3Server } from "./s3-server/start-s3-server.ts";
export { type FileFault, type FileServer, type ServedFile, startFileServer } from "./start-file-server.ts";
export { type HubFault, type HubStandIn, startHubStandIn } from "./start-hub-stand-in.ts";
export { type ProcessExit, type RunningProcess, startProcess } from "./start-process.ts";
export { type ReceivedRequest, type Receiver, type ReceiverAnswer, startReceiver } from "./start-receiver.ts";
export { startTestStack, type TestStack } from "./start-stack.ts";
export { startTestPostgres, type TestPostgres } from "./start-test-postgres.ts";
export { startTestRedis, type TestRedis } from "./start-test-redis.ts";
export { openTestServers } from "./test-servers.ts";
export { waitFor } from "./wait-for.ts";

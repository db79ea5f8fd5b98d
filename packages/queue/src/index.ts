export { createDispatcher, type Dispatcher, type DispatcherOptions } from "./create-dispatcher.ts";
export { type JobNotification, type Notifications, openNotifications } from "./notifications.ts";
export { type ConsumeOptions, type Consumer, openQueues, type Queues } from "./open-queues.ts";
export type { QueueKind } from "./queue-kinds.ts";

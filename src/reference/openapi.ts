// The parts of an OpenAPI 3.1 document that are read or written here. https://spec.openapis.org/oas/v3.1.0

export type Json = Record<string, unknown>;

export interface Operation extends Json {
  operationId?: string;
  summary?: string;
  description?: string;
  tags?: string[];
  parameters?: Json[];
  requestBody?: { description?: string; content: Record<string, Json> };
  responses: Record<string, { description: string; headers?: Json; content?: Record<string, Json> }>;
}

export interface OpenApi extends Json {
  paths: Record<string, Record<string, Operation>>;
  webhooks: Record<string, { post: Operation }>;
  components: { schemas: Record<string, Json> } & Record<string, Json>;
}

import { type App, createApp } from '../http/app.ts';
import type { FunctionDefinition } from './function.ts';
import { jobRoutes } from './job-routes.ts';
import type { Runtime } from './runtime.ts';

/** One function's HTTP side over its services: what serves requests, pushes and tests alike. */
export const functionApp = <S>(definition: FunctionDefinition<S>, runtime: Runtime, services: S): App =>
  createApp(
    definition.name,
    [...definition.routes(services), ...jobRoutes(definition.jobs, services, runtime)],
    runtime.http,
  );

import { functionApp } from '#shared/runtime/function-app.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import { register } from '#shared/runtime/serve.ts';
import type { Target } from './front.ts';
import type { FunctionFolder } from './functions.ts';

/** Every function inside this process, on one runtime. The front hands them their requests. */
export const openInProcess = (functions: readonly FunctionFolder[], runtime: Runtime): ReadonlyMap<string, Target> =>
  new Map(
    functions.map(({ definition, createServices }) => {
      const listen = register(definition.name, async () => functionApp(definition, runtime, createServices(runtime)));
      return [definition.name, (request, response) => void listen(request, response)];
    }),
  );

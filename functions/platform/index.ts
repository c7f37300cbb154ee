import { serve } from '#shared/runtime/serve.ts';
import { platform } from './app.ts';
import { createServices } from './services.ts';

serve(platform, createServices);

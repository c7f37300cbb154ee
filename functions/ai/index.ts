import { serve } from '#shared/runtime/serve.ts';
import { ai } from './app.ts';
import { createServices } from './services.ts';

serve(ai, createServices);

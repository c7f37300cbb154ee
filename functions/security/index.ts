import { serve } from '#shared/runtime/serve.ts';
import { security } from './app.ts';
import { createServices } from './services.ts';

serve(security, createServices);

import { serve } from '#shared/runtime/serve.ts';
import { webhooks } from './app.ts';
import { createServices } from './services.ts';

serve(webhooks, createServices);

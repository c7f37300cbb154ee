import { serve } from '#shared/runtime/serve.ts';
import { payments } from './app.ts';
import { createServices } from './services.ts';

serve(payments, createServices);

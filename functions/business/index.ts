import { serve } from '#shared/runtime/serve.ts';
import { business } from './app.ts';
import { createServices } from './services.ts';

serve(business, createServices);

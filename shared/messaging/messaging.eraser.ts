import { defineEraser } from '../erasure/index.ts';
import { messageCollection } from './messages/message.schema.ts';
import { suppressionCollection } from './suppressions/suppression.schema.ts';
import { templateCollection } from './templates/template.schema.ts';

export const messagingEraser = defineEraser({
  domain: 'messaging',
  collections: [messageCollection, suppressionCollection, templateCollection],
});

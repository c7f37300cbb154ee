import { defineEraser } from '../erasure/index.ts';
import { rollupCollection } from './predictions/prediction.rollup.ts';
import { predictionCollection } from './predictions/prediction.schema.ts';

export const aiEraser = defineEraser({ domain: 'ai', collections: [predictionCollection, rollupCollection] });

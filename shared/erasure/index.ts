export { defineEraser, type Eraser, type Erasing, type ErasureServices } from './define-eraser.ts';
export { domainErased, tenantErasureDue } from './erasure.events.ts';

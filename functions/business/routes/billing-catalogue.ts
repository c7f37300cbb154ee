import * as z from 'zod';
import {
  activeChangeSchema,
  billingMoneySchema,
  codeSchema,
  couponViewSchema,
  currencySchema,
  maxSeats,
  newCouponSchema,
  newPriceSchema,
  newProductSchema,
  newPromotionCodeSchema,
  priceChangeSchema,
  pricePartSchema,
  priceViewSchema,
  productChangeSchema,
  productViewSchema,
  promotionCodeViewSchema,
} from '#shared/business/index.ts';
import { endpoint, handle, type Route } from '#shared/http/endpoint.ts';
import { idParams, pageQuery, pageSchema } from '#shared/http/page.ts';
import type { BusinessServices } from '../services.ts';

const path = '/api/v1/billing';
const read = { scopes: ['billing:read'] };
const write = { scopes: ['billing:catalogue'] };
const codeParams = z.object({ code: codeSchema });
const listErrors = ['invalid-cursor'] as const;
const changeErrors = ['not-found', 'revision-conflict', 'precondition-failed'] as const;

const list = <T>(name: string, summary: string, item: z.ZodType<T>) =>
  endpoint({
    method: 'get',
    path: `${path}/${name}`,
    summary,
    description: 'By id.',
    access: read,
    query: pageQuery,
    status: 200,
    response: pageSchema(item),
    errors: listErrors,
  });

const getOne = <T>(name: string, summary: string, response: z.ZodType<T>) =>
  endpoint({
    method: 'get',
    path: `${path}/${name}/{id}`,
    summary,
    access: read,
    params: idParams,
    status: 200,
    response,
    errors: ['not-found'],
  });

const createProduct = endpoint({
  method: 'post',
  path: `${path}/products`,
  summary: 'Create a product',
  description: 'What is sold, and what whoever has it may do. Prices say what it costs.',
  access: write,
  body: newProductSchema,
  status: 201,
  response: productViewSchema,
});
const listProducts = list('products', 'List products', productViewSchema);
const getProduct = getOne('products', 'Get a product', productViewSchema);
const changeProduct = endpoint({
  method: 'patch',
  path: `${path}/products/{id}`,
  summary: 'Change or archive a product',
  access: write,
  params: idParams,
  body: productChangeSchema,
  status: 200,
  response: productViewSchema,
  errors: changeErrors,
});

const createPrice = endpoint({
  method: 'post',
  path: `${path}/prices`,
  summary: 'Create a price',
  description: 'Once it was sold its amounts stand for ever: archive it, and make another.',
  access: write,
  body: newPriceSchema,
  status: 201,
  response: priceViewSchema,
});
const listPrices = endpoint({
  method: 'get',
  path: `${path}/prices`,
  summary: 'List prices',
  description: 'The newest first.',
  access: read,
  query: pageQuery.extend({ product: idParams.shape.id.optional() }),
  status: 200,
  response: pageSchema(priceViewSchema),
  errors: listErrors,
});
const getPrice = getOne('prices', 'Get a price', priceViewSchema);
const changePrice = endpoint({
  method: 'patch',
  path: `${path}/prices/{id}`,
  summary: 'Change or archive a price',
  access: write,
  params: idParams,
  body: priceChangeSchema,
  status: 200,
  response: priceViewSchema,
  errors: changeErrors,
});
const quote = endpoint({
  method: 'post',
  path: `${path}/prices/{id}/quote`,
  summary: 'Reckon what a quantity costs',
  description: 'Before discounts and tax, with its parts; in the first of its currencies where none is given.',
  access: read,
  params: idParams,
  body: z.strictObject({
    quantity: z.int().min(0).max(maxSeats).meta({ description: 'Units.' }),
    currency: currencySchema.optional(),
  }),
  status: 200,
  response: z.object({ amount: billingMoneySchema, parts: z.array(pricePartSchema).readonly() }),
  errors: ['not-found'],
});

const createCoupon = endpoint({
  method: 'post',
  path: `${path}/coupons`,
  summary: 'Create a coupon',
  description: 'What a discount is. Customers get it by a promotion code.',
  access: write,
  body: newCouponSchema,
  status: 201,
  response: couponViewSchema,
});
const listCoupons = list('coupons', 'List coupons', couponViewSchema);
const getCoupon = getOne('coupons', 'Get a coupon', couponViewSchema);
const setCouponActive = endpoint({
  method: 'patch',
  path: `${path}/coupons/{id}`,
  summary: 'Archive a coupon or bring it back',
  description: 'Whoever has the discount keeps it.',
  access: write,
  params: idParams,
  body: activeChangeSchema,
  status: 200,
  response: couponViewSchema,
  errors: changeErrors,
});

const createCode = endpoint({
  method: 'post',
  path: `${path}/promotion-codes`,
  summary: 'Create a promotion code',
  access: write,
  body: newPromotionCodeSchema,
  status: 201,
  response: promotionCodeViewSchema,
  errors: ['already-exists'],
});
const listCodes = list('promotion-codes', 'List promotion codes', promotionCodeViewSchema);
const getCode = endpoint({
  method: 'get',
  path: `${path}/promotion-codes/{code}`,
  summary: 'Get a promotion code',
  access: read,
  params: codeParams,
  status: 200,
  response: promotionCodeViewSchema,
  errors: ['not-found'],
});
const setCodeActive = endpoint({
  method: 'patch',
  path: `${path}/promotion-codes/{code}`,
  summary: 'End a promotion code or bring it back',
  access: write,
  params: codeParams,
  body: activeChangeSchema,
  status: 200,
  response: promotionCodeViewSchema,
  errors: changeErrors,
});

export const billingCatalogue = ({ catalogue, coupons }: Pick<BusinessServices, 'catalogue' | 'coupons'>): Route[] => [
  handle(createProduct, ({ actor, body }) => catalogue.createProduct(actor, body)),
  handle(listProducts, ({ actor, query }) => catalogue.listProducts(actor, query)),
  handle(getProduct, ({ actor, params }) => catalogue.getProduct(actor, params.id)),
  handle(changeProduct, ({ actor, params, body }) => catalogue.changeProduct(actor, params.id, body)),
  handle(createPrice, ({ actor, body }) => catalogue.createPrice(actor, body)),
  handle(listPrices, ({ actor, query }) => catalogue.listPrices(actor, query)),
  handle(getPrice, ({ actor, params }) => catalogue.getPrice(actor, params.id)),
  handle(changePrice, ({ actor, params, body }) => catalogue.changePrice(actor, params.id, body)),
  handle(quote, ({ actor, params, body }) => catalogue.quote(actor, params.id, body)),
  handle(createCoupon, ({ actor, body }) => coupons.create(actor, body)),
  handle(listCoupons, ({ actor, query }) => coupons.list(actor, query)),
  handle(getCoupon, ({ actor, params }) => coupons.get(actor, params.id)),
  handle(setCouponActive, ({ actor, params, body }) => coupons.setActive(actor, params.id, body.active)),
  handle(createCode, ({ actor, body }) => coupons.createCode(actor, body)),
  handle(listCodes, ({ actor, query }) => coupons.listCodes(actor, query)),
  handle(getCode, ({ actor, params }) => coupons.getCode(actor, params.code)),
  handle(setCodeActive, ({ actor, params, body }) => coupons.setCodeActive(actor, params.code, body.active)),
];

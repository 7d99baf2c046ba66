// WooCommerce's own client pages through the stand-in's orders, over plain HTTP with OAuth 1.0a, which it signs.
import assert from 'node:assert/strict';
import client from '@woocommerce/woocommerce-rest-api';
import { environment, knob } from './support.mjs';

const { sandbox, shopKey, shopSecret } = environment();
const WooCommerceRestApi = client.default ?? client;
const ORDERS = 23;

function shop(consumerSecret = shopSecret) {
  return new WooCommerceRestApi({ url: sandbox, consumerKey: shopKey, consumerSecret, version: 'wc/v3' });
}

const made = [];
for (let i = 0; i < ORDERS; i++) {
  const order = await knob('orders', { email: `pager${i}@example.test`, items: [{ product: '10', quantity: 1 }] });
  made.push(order.id);
}
const seen = [];
let total = 0;
for (let page = 1, pages = 1; page <= pages; page++) {
  const answer = await shop().get('orders', { per_page: 7, page, orderby: 'id', order: 'asc' });
  pages = Number(answer.headers['x-wp-totalpages']);
  total = Number(answer.headers['x-wp-total']);
  assert.ok(answer.data.length <= 7);
  seen.push(...answer.data.map((order) => order.id));
}
assert.equal(seen.length, total);
assert.deepEqual([...new Set(seen)], seen, 'no order twice');
for (const id of made) assert.ok(seen.map(String).includes(String(id)), `order ${id} is listed`);

const one = await shop().get(`orders/${made[0]}`);
assert.equal(one.data.billing.email, 'pager0@example.test');
const refund = await shop().post(`orders/${made[0]}/refunds`, { amount: '1.00', api_refund: false });
assert.equal(refund.data.amount, '1.00');
const refunds = await shop().get(`orders/${made[0]}/refunds`);
assert.deepEqual(refunds.data.map((item) => item.id), [refund.data.id]);
await assert.rejects(shop('cs_wrong').get('orders'), (error) => error.response.status === 401);
await assert.rejects(shop().get('orders/999999999'), (error) =>
  error.response.data.code === 'woocommerce_rest_shop_order_invalid_id');
console.log('@woocommerce/woocommerce-rest-api agrees');

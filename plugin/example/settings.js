// What is to be changed for a plugin of your own: where Purchase Sync answers, and what is sold in which shop.

export const api = 'http://127.0.0.1:8080';

// `key` is the catalogue's entitlement; one without a price is everybody's.
export const packs = [
  { key: 'basics', name: 'Basics', price: null },
  { key: 'icons-pro', name: 'Icon pack Pro', price: '$49', source: 'main-store', product: '10' },
  { key: 'flow-shapes', name: 'Flow shapes', price: '$19', source: 'main-store', product: '12' },
  { key: 'extra-boards', name: 'Extra boards', price: '$10 a year', source: 'main-store', product: '11' },
];

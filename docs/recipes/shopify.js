// For a theme: keeps ?miro_reference=... of the link in the cart, whose attributes become the order's note_attributes.
(() => {
  const reference = new URLSearchParams(location.search).get('miro_reference');
  if (!reference || !/^[A-Za-z0-9_-]{1,200}$/.test(reference)) return;
  fetch(`${window.Shopify?.routes?.root ?? '/'}cart/update.js`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ attributes: { miro_reference: reference } }),
  });
})();

<?php
/**
 * Carries ?miro_reference=... from the link that opens the shop into the order.
 * Put this into a plugin of your own or your theme's functions.php.
 */

// Before WooCommerce handles ?add-to-cart (20): the link may do both.
add_action('wp_loaded', function () {
    $reference = $_GET['miro_reference'] ?? null;
    if (!is_string($reference) || !preg_match('/^[A-Za-z0-9_-]{1,200}$/D', $reference)) {
        return;
    }
    if (function_exists('WC') && WC()->session) {
        WC()->session->set_customer_session_cookie(true);
        WC()->session->set('miro_reference', $reference);
    }
}, 10);

function miro_reference_into_order($order)
{
    $reference = WC()->session ? WC()->session->get('miro_reference') : null;
    if ($reference) {
        $order->update_meta_data('miro_reference', $reference);
    }
}

// The classic checkout saves the order itself; the block checkout does not.
add_action('woocommerce_checkout_create_order', 'miro_reference_into_order');
add_action('woocommerce_store_api_checkout_update_order_meta', function ($order) {
    miro_reference_into_order($order);
    $order->save();
});

// One link, one order: the next one begins without.
add_action('woocommerce_thankyou', function () {
    if (WC()->session) {
        WC()->session->set('miro_reference', null);
    }
});

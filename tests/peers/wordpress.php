<?php
// WordPress's hooks and WooCommerce's session and order, as far as docs/recipes/woocommerce.php asks for them: takes the
// recipe's path, the link's reference and the checkout ("classic" or "block"), and prints the metadata of two orders.
$hooks = [];
function add_action($name, $callback, $priority = 10)
{
    global $hooks;
    $hooks[$name][] = $callback;
}
function run($name, ...$arguments)
{
    global $hooks;
    foreach ($hooks[$name] ?? [] as $callback) {
        $callback(...$arguments);
    }
}
class Session
{
    private $kept = [], $has_cookie = false;
    public function set_customer_session_cookie($set) { $this->has_cookie = $set; }
    public function set($key, $value) { if ($this->has_cookie) { $this->kept[$key] = $value; } }
    public function get($key) { return $this->kept[$key] ?? null; }
}
class Order
{
    public $saved = [];
    private $meta = [];
    public function update_meta_data($key, $value) { $this->meta[$key] = $value; }
    public function save() { $this->saved = $this->meta; }
}
class Shop
{
    public $session;
}
function WC()
{
    static $shop;
    $shop = $shop ?: new Shop();
    return $shop;
}

[, $recipe, $link, $checkout] = $argv;
parse_str($link, $_GET);
WC()->session = new Session();
require $recipe;
run('wp_loaded');
$orders = [];
foreach ([1, 2] as $number) {
    $order = new Order();
    if ($checkout === 'classic') {
        run('woocommerce_checkout_create_order', $order);
        $order->save();
    } else {
        run('woocommerce_store_api_checkout_update_order_meta', $order);
    }
    run('woocommerce_thankyou', $number);
    $orders[] = (object) $order->saved;
}
echo json_encode($orders), "\n";

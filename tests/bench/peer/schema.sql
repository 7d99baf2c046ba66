-- The peer's inbox: a row a delivery, its body in it, so that one statement stores it. The columns that it has no use
-- for are left out; the indexes are those of the product's. All other tables are the product's own.
CREATE TABLE IF NOT EXISTS peer_delivery (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    source_id INT UNSIGNED NOT NULL,
    delivery_key BINARY(32) NOT NULL,
    state ENUM('pending','done','set_aside') NOT NULL DEFAULT 'pending',
    reason ENUM('','not_an_order') NOT NULL DEFAULT '',
    topic VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
    received_at BIGINT NOT NULL,
    last_received_at BIGINT NOT NULL,
    times_received INT UNSIGNED NOT NULL DEFAULT 1,
    processed_at BIGINT NOT NULL DEFAULT 0,
    due_at BIGINT NOT NULL,
    body MEDIUMBLOB NOT NULL,
    UNIQUE KEY delivery_once (source_id, delivery_key),
    KEY delivery_due (state, due_at),
    KEY delivery_received (received_at),
    KEY delivery_reason (reason, source_id, last_received_at)
) ENGINE=InnoDB;

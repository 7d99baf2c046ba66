-- Purchase Sync, the whole shape of the data. Every statement may run twice.
--
-- Times are microseconds since 1970 UTC. Ids of shops and of Miro are bytes, never numbers: they exceed 2^53
-- at Shopify and Miro, and a shop may use letters. Addresses stand nowhere in clear: a blind index finds
-- them, an envelope keeps them. Enums mirror the enums of the code, name for name and in their order.
-- Auto-increment ids name rows; their order means nothing (Galera steps them by host).
--
-- Where a primary key begins with source_id, no other key does: looking up hundreds of primary keys at once, the
-- optimizer weighs every key that shares their first column, for each of them (8 ms instead of 0.2 for 128).

-- identity: which shop the source is of, learned from the first evidence that told it; written once.
CREATE TABLE IF NOT EXISTS source (
    id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    provider VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT NULL,
    identity VARBINARY(255) NULL,
    UNIQUE KEY source_name (name)
) ENGINE=InnoDB;

-- Keys that are themselves sealed under the keyring: the blind index key, made once by migrate.
CREATE TABLE IF NOT EXISTS sealed_key (
    purpose VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    sealed VARBINARY(512) NOT NULL,
    created_at BIGINT NOT NULL
) ENGINE=InnoDB;

-- The inbox: what was validly signed, whatever it holds. delivery_key is the event id inside the signed
-- bytes, or the body's digest. A body seen again is no new row, but is processed again. The sealed body stands in
-- its row, so that one statement that commits by itself makes a delivery durable.
-- What a lease and its end write is of fixed width and never NULL (0: never; an owner of zeros: nobody), so
-- that they change the row in place: half a kB of redo for both together, where a NULL that became a value had
-- the row written anew, body and all, 9.6 kB. delivery_due begins with the shop, so that a worker reaches what
-- is due of one shop whatever waits of another.
CREATE TABLE IF NOT EXISTS delivery (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    source_id INT UNSIGNED NOT NULL,
    delivery_key BINARY(32) NOT NULL,
    state ENUM('pending','leased','done','set_aside') NOT NULL DEFAULT 'pending',
    reason ENUM('','malformed','source_misconfigured','wrong_mode','not_an_order','needs_api_key','fetch_failed','retries_exhausted') NOT NULL DEFAULT '',
    detail VARCHAR(255) NULL,
    topic VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
    received_at BIGINT NOT NULL,
    last_received_at BIGINT NOT NULL,
    times_received INT UNSIGNED NOT NULL DEFAULT 1,
    processed_at BIGINT NOT NULL DEFAULT 0,
    due_at BIGINT NOT NULL,
    attempts INT UNSIGNED NOT NULL DEFAULT 0,
    lease_owner BINARY(8) NOT NULL DEFAULT '',
    leased_at BIGINT NOT NULL DEFAULT 0,
    sealed_bytes INT UNSIGNED NOT NULL,
    body MEDIUMBLOB NOT NULL,
    UNIQUE KEY delivery_once (source_id, delivery_key),
    KEY delivery_due (state, source_id, due_at),
    KEY delivery_received (received_at),
    KEY delivery_reason (reason, source_id, last_received_at)
) ENGINE=InnoDB;

-- One row an order: the lock of its merge, and what the merge made of it. A refund may come first: then
-- there is a row and no snapshot. order_key is the digest of the first key that the order was told with.
-- is_nobodys: paid, with neither address nor reference. The merge writes the row twice, as its lock and with
-- what it came to; no key holds what differs between the two for most orders, so that each is written once.
CREATE TABLE IF NOT EXISTS shop_order (
    source_id INT UNSIGNED NOT NULL,
    order_id VARBINARY(128) NOT NULL,
    revision BIGINT UNSIGNED NOT NULL DEFAULT 1,
    catalogue_version INT UNSIGNED NOT NULL DEFAULT 0,
    status ENUM('pending','paid','cancelled','refunded') NULL,
    subject_kind ENUM('none','address','user') NOT NULL DEFAULT 'none',
    is_nobodys BOOLEAN NOT NULL DEFAULT FALSE,
    unmapped_lines INT UNSIGNED NOT NULL DEFAULT 0,
    first_seen_at BIGINT NOT NULL,
    merged_at BIGINT NULL,
    reread_due_at BIGINT NULL,
    reread_attempts INT UNSIGNED NOT NULL DEFAULT 0,
    reread_delivery BIGINT UNSIGNED NULL,
    order_key BINARY(32) NULL,
    PRIMARY KEY (source_id, order_id),
    KEY shop_order_redo (catalogue_version),
    KEY shop_order_reread (reread_due_at),
    KEY shop_order_nobody (is_nobodys, source_id)
) ENGINE=InnoDB;

-- Facts, kept for ever. A snapshot is what an order looked like, told apart by the digest of what it says.
CREATE TABLE IF NOT EXISTS order_snapshot (
    source_id INT UNSIGNED NOT NULL,
    order_id VARBINARY(128) NOT NULL,
    digest BINARY(32) NOT NULL,
    time BIGINT NOT NULL,
    time_flagged BOOLEAN NOT NULL DEFAULT FALSE,
    time_claimed BIGINT NOT NULL DEFAULT 0,
    from_api BOOLEAN NOT NULL DEFAULT FALSE,
    read_at BIGINT NOT NULL DEFAULT 0,
    status ENUM('pending','paid','cancelled','refunded') NOT NULL,
    disputed BOOLEAN NOT NULL DEFAULT FALSE,
    lines_known BOOLEAN NOT NULL DEFAULT TRUE,
    lists_refunds BOOLEAN NOT NULL DEFAULT FALSE,
    paid_at BIGINT NULL,
    payment VARBINARY(128) NULL,
    total BIGINT NULL,
    refunded_total BIGINT NULL,
    address_state ENUM('absent','erased','real') NOT NULL DEFAULT 'absent',
    address_index BINARY(32) NULL,
    owner_user VARBINARY(32) NULL,
    owner_team VARBINARY(32) NULL,
    reference_state ENUM('absent','valid','invalid') NOT NULL DEFAULT 'absent',
    delivery_id BIGINT UNSIGNED NULL,
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (source_id, order_id, digest),
    KEY order_snapshot_address (address_index)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS order_line (
    source_id INT UNSIGNED NOT NULL,
    order_id VARBINARY(128) NOT NULL,
    digest BINARY(32) NOT NULL,
    line_id VARBINARY(128) NOT NULL,
    product VARBINARY(191) NULL,
    product2 VARBINARY(191) NULL,
    variant VARBINARY(191) NULL,
    sku VARBINARY(191) NULL,
    quantity BIGINT NOT NULL,
    refunded_quantity BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (source_id, order_id, digest, line_id)
) ENGINE=InnoDB;

-- The refunds that a snapshot lists; line_id '' holds the refund itself, the others what it gave back.
CREATE TABLE IF NOT EXISTS snapshot_refund (
    source_id INT UNSIGNED NOT NULL,
    order_id VARBINARY(128) NOT NULL,
    digest BINARY(32) NOT NULL,
    refund_id VARBINARY(128) NOT NULL,
    line_id VARBINARY(128) NOT NULL DEFAULT '',
    amount BIGINT NOT NULL DEFAULT 0,
    lines_known BOOLEAN NOT NULL DEFAULT FALSE,
    quantity BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (source_id, order_id, digest, refund_id, line_id)
) ENGINE=InnoDB;

-- A refund told by itself. detail_only: what it gave back, not whether it stands.
CREATE TABLE IF NOT EXISTS order_refund (
    source_id INT UNSIGNED NOT NULL,
    order_id VARBINARY(128) NOT NULL,
    refund_id VARBINARY(128) NOT NULL,
    detail_only BOOLEAN NOT NULL DEFAULT FALSE,
    time BIGINT NOT NULL,
    state ENUM('pending','done','failed') NOT NULL,
    amount BIGINT NOT NULL DEFAULT 0,
    payment VARBINARY(128) NULL,
    lines_known BOOLEAN NOT NULL DEFAULT FALSE,
    delivery_id BIGINT UNSIGNED NULL,
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (source_id, order_id, refund_id, detail_only)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS order_refund_line (
    source_id INT UNSIGNED NOT NULL,
    order_id VARBINARY(128) NOT NULL,
    refund_id VARBINARY(128) NOT NULL,
    detail_only BOOLEAN NOT NULL DEFAULT FALSE,
    line_id VARBINARY(128) NOT NULL,
    quantity BIGINT NOT NULL,
    PRIMARY KEY (source_id, order_id, refund_id, detail_only, line_id)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS order_dispute (
    source_id INT UNSIGNED NOT NULL,
    order_id VARBINARY(128) NOT NULL,
    dispute_id VARBINARY(128) NOT NULL,
    time BIGINT NOT NULL,
    state ENUM('none','inquiry','open','won','lost') NOT NULL,
    delivery_id BIGINT UNSIGNED NULL,
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (source_id, order_id, dispute_id)
) ENGINE=InnoDB;

-- A state of the subscription that an order is, as a provider told it at one time.
CREATE TABLE IF NOT EXISTS order_subscription (
    source_id INT UNSIGNED NOT NULL,
    order_id VARBINARY(128) NOT NULL,
    digest BINARY(32) NOT NULL,
    time BIGINT NOT NULL,
    from_api BOOLEAN NOT NULL DEFAULT FALSE,
    read_at BIGINT NOT NULL DEFAULT 0,
    state ENUM('trial','active','past_due','paused','cancelled','expired') NOT NULL,
    paid_until BIGINT NULL,
    unpaid_since BIGINT NULL,
    delivery_id BIGINT UNSIGNED NULL,
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (source_id, order_id, digest)
) ENGINE=InnoDB;

-- Other ids under which evidence speaks of an order: the payment of a session, what began a subscription.
CREATE TABLE IF NOT EXISTS order_alias (
    source_id INT UNSIGNED NOT NULL,
    alias VARBINARY(128) NOT NULL,
    order_id VARBINARY(128) NOT NULL,
    PRIMARY KEY (source_id, alias),
    KEY order_alias_order (order_id, source_id)
) ENGINE=InnoDB;

-- Whose an order is, as an operator says: before any reference or address, and dropped by no evidence.
CREATE TABLE IF NOT EXISTS order_assignment (
    source_id INT UNSIGNED NOT NULL,
    order_id VARBINARY(128) NOT NULL,
    user_id VARBINARY(32) NOT NULL,
    assigned_at BIGINT NOT NULL,
    assigned_by VARCHAR(128) NOT NULL,
    why VARCHAR(255) NOT NULL,
    PRIMARY KEY (source_id, order_id),
    KEY order_assignment_user (user_id)
) ENGINE=InnoDB;

-- What an order gives: a row for each line and key that it grants. subject is an address's blind index, or
-- the digest of a Miro user's id (which needs no key, so that bound purchases outlive a lost keyring).
-- All that a check reads stands in contribution_subject: a buyer's orders lie years apart in the table itself.
CREATE TABLE IF NOT EXISTS contribution (
    source_id INT UNSIGNED NOT NULL,
    order_id VARBINARY(128) NOT NULL,
    line_id VARBINARY(128) NOT NULL,
    entitlement_key VARBINARY(64) NOT NULL,
    subject BINARY(32) NOT NULL,
    subject_kind ENUM('none','address','user') NOT NULL,
    team_id VARBINARY(32) NULL,
    state ENUM('active','pending','refunded','disputed','cancelled') NOT NULL,
    quantity BIGINT NOT NULL,
    starts_at BIGINT NULL,
    ends_at BIGINT NULL,
    grace_until BIGINT NULL,
    catalogue_version INT UNSIGNED NOT NULL,
    PRIMARY KEY (source_id, order_id, line_id, entitlement_key),
    KEY contribution_subject (subject, entitlement_key, state, quantity, ends_at, grace_until),
    KEY contribution_state (state, entitlement_key)
) ENGINE=InnoDB;

-- Lines of the winning snapshot that no rule knows, listed and counted by product.
CREATE TABLE IF NOT EXISTS unmapped_line (
    source_id INT UNSIGNED NOT NULL,
    order_id VARBINARY(128) NOT NULL,
    line_id VARBINARY(128) NOT NULL,
    product VARBINARY(191) NULL,
    variant VARBINARY(191) NULL,
    sku VARBINARY(191) NULL,
    PRIMARY KEY (source_id, order_id, line_id),
    KEY unmapped_line_product (product, source_id)
) ENGINE=InnoDB;

-- People. An address is known by its index; sealed is NULL once a privacy tool or an erasure took it.
CREATE TABLE IF NOT EXISTS address (
    address_index BINARY(32) NOT NULL PRIMARY KEY,
    sealed VARBINARY(640) NULL,
    first_seen_at BIGINT NOT NULL,
    erased_at BIGINT NULL
) ENGINE=InnoDB;

-- One address belongs to one Miro user at a time.
CREATE TABLE IF NOT EXISTS link (
    address_index BINARY(32) NOT NULL PRIMARY KEY,
    user_id VARBINARY(32) NOT NULL,
    origin ENUM('profile','claim','support','import') NOT NULL,
    linked_at BIGINT NOT NULL,
    linked_by VARCHAR(128) NULL,
    why VARCHAR(255) NULL,
    KEY link_user (user_id)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS contested_address (
    address_index BINARY(32) NOT NULL,
    user_id VARBINARY(32) NOT NULL,
    origin ENUM('profile','claim','support','import','order') NOT NULL,
    seen_at BIGINT NOT NULL,
    resolved_at BIGINT NULL,
    PRIMARY KEY (address_index, user_id),
    KEY contested_address_user (user_id)
) ENGINE=InnoDB;

-- An order whose reference names user_id, and whose address was another user's. open: the reference decides; a
-- code mailed to the address settles it, for the reference's user or for the address.
CREATE TABLE IF NOT EXISTS contested_order (
    source_id INT UNSIGNED NOT NULL,
    order_id VARBINARY(128) NOT NULL,
    address_index BINARY(32) NOT NULL,
    user_id VARBINARY(32) NOT NULL,
    decision ENUM('open','reference','address') NOT NULL DEFAULT 'open',
    seen_at BIGINT NOT NULL,
    decided_at BIGINT NULL,
    PRIMARY KEY (source_id, order_id),
    KEY contested_order_address (address_index, decision)
) ENGINE=InnoDB;

-- Whose an address was before it moved to another user: the one who lost it is told.
CREATE TABLE IF NOT EXISTS link_moved (
    user_id VARBINARY(32) NOT NULL,
    address_index BINARY(32) NOT NULL,
    moved_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, address_index)
) ENGINE=InnoDB;

-- A user's wish to be given an address, and the mail that takes the code to it. asked: nobody has looked at it
-- yet; mailing: its mail is due at due_at, or on its way until then (NULL: nothing is due any more); dropped: no mail goes, because nothing is known
-- of the address, a limit is reached, the server refused it, or its time is over. sealed holds the code and the
-- address as it was typed, until there is nothing left to mail; code_mac is bound to the user and the address.
CREATE TABLE IF NOT EXISTS claim (
    claim_id BINARY(16) NOT NULL PRIMARY KEY,
    user_id VARBINARY(32) NOT NULL,
    team_id VARBINARY(32) NOT NULL,
    address_index BINARY(32) NOT NULL,
    peer BINARY(32) NULL,
    code_mac VARBINARY(128) NOT NULL,
    sealed VARBINARY(640) NULL,
    state ENUM('asked','mailing','mailed','dropped','used') NOT NULL DEFAULT 'asked',
    tries INT UNSIGNED NOT NULL DEFAULT 0,
    attempts INT UNSIGNED NOT NULL DEFAULT 0,
    asked_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    due_at BIGINT NULL,
    KEY claim_user (user_id, asked_at),
    KEY claim_address (address_index, asked_at),
    KEY claim_peer (peer, asked_at),
    KEY claim_due (due_at),
    KEY claim_age (asked_at)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS miro_user (
    user_id VARBINARY(32) NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL,
    profile_state VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
    profile_read_at BIGINT NULL,
    profile_due_at BIGINT NULL,
    profile_attempts INT UNSIGNED NOT NULL DEFAULT 0,
    lease_owner VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
    KEY miro_user_due (profile_due_at)
) ENGINE=InnoDB;

-- Tokens belong to an app, a user and a team. A refused one is marked, never dropped with what it linked.
-- generation counts the pairs of tokens that the row has had: who used one may only write while it is still there.
CREATE TABLE IF NOT EXISTS miro_token (
    client_id VARBINARY(32) NOT NULL,
    user_id VARBINARY(32) NOT NULL,
    team_id VARBINARY(32) NOT NULL,
    access_token VARBINARY(2048) NOT NULL,
    refresh_token VARBINARY(2048) NULL,
    scope VARCHAR(512) NULL,
    state ENUM('valid','refused') NOT NULL DEFAULT 'valid',
    expires_at BIGINT NULL,
    issued_at BIGINT NOT NULL,
    refused_at BIGINT NULL,
    refresh_due_at BIGINT NULL,
    refresh_attempts INT UNSIGNED NOT NULL DEFAULT 0,
    generation INT UNSIGNED NOT NULL DEFAULT 1,
    lease_owner VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
    lease_until BIGINT NULL,
    PRIMARY KEY (client_id, user_id, team_id),
    KEY miro_token_user (user_id, state),
    KEY miro_token_refresh (client_id, refresh_due_at),
    KEY miro_token_state (state)
) ENGINE=InnoDB;

-- Callbacks' state values that were used: one may be spent once.
CREATE TABLE IF NOT EXISTS oauth_state (
    nonce BINARY(16) NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL,
    KEY oauth_state_expiry (expires_at)
) ENGINE=InnoDB;

-- The catalogue, in versions; the greatest is in force, a rollback is a new version with an old text.
CREATE TABLE IF NOT EXISTS catalogue_version (
    version INT UNSIGNED NOT NULL PRIMARY KEY,
    applied_at BIGINT NOT NULL,
    applied_by VARCHAR(128) NOT NULL,
    text MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS catalogue_entitlement (
    version INT UNSIGNED NOT NULL,
    entitlement_key VARBINARY(64) NOT NULL,
    name VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    PRIMARY KEY (version, entitlement_key)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS catalogue_rule (
    version INT UNSIGNED NOT NULL,
    rule INT UNSIGNED NOT NULL,
    source VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    product VARBINARY(191) NULL,
    variant VARBINARY(191) NULL,
    sku VARBINARY(191) NULL,
    ignored BOOLEAN NOT NULL DEFAULT FALSE,
    duration_days INT UNSIGNED NULL,
    grace_days INT UNSIGNED NULL,
    checkout_url VARCHAR(2048) NULL,
    PRIMARY KEY (version, rule)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS catalogue_rule_grant (
    version INT UNSIGNED NOT NULL,
    rule INT UNSIGNED NOT NULL,
    entitlement_key VARBINARY(64) NOT NULL,
    PRIMARY KEY (version, rule, entitlement_key)
) ENGINE=InnoDB;

-- What an operator gave; no sync touches it.
CREATE TABLE IF NOT EXISTS manual_grant (
    grant_id BINARY(8) NOT NULL PRIMARY KEY,
    user_id VARBINARY(32) NOT NULL,
    entitlement_key VARBINARY(64) NOT NULL,
    quantity BIGINT NOT NULL DEFAULT 1,
    granted_at BIGINT NOT NULL,
    ends_at BIGINT NULL,
    granted_by VARCHAR(128) NOT NULL,
    why VARCHAR(255) NOT NULL,
    revoked_at BIGINT NULL,
    revoked_by VARCHAR(128) NULL,
    revoked_why VARCHAR(255) NULL,
    KEY manual_grant_user (user_id)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS team_seat (
    team_id VARBINARY(32) NOT NULL,
    entitlement_key VARBINARY(64) NOT NULL,
    user_id VARBINARY(32) NOT NULL,
    taken_at BIGINT NOT NULL,
    PRIMARY KEY (team_id, entitlement_key, user_id),
    KEY team_seat_user (user_id)
) ENGINE=InnoDB;

-- A row for each subject that a transaction touched, whether or not anyone is linked to it.
CREATE TABLE IF NOT EXISTS change_feed (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    subject BINARY(32) NOT NULL,
    changed_at BIGINT NOT NULL,
    KEY change_feed_age (changed_at)
) ENGINE=InnoDB;

-- Every change of access has a cause.
CREATE TABLE IF NOT EXISTS audit (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    at BIGINT NOT NULL,
    cause ENUM('delivery','resync','link','catalogue','operator','rebuild') NOT NULL,
    cause_id VARCHAR(128) NOT NULL,
    action VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    source_id INT UNSIGNED NULL,
    order_id VARBINARY(128) NULL,
    line_id VARBINARY(128) NULL,
    entitlement_key VARBINARY(64) NULL,
    subject BINARY(32) NULL,
    user_id VARBINARY(32) NULL,
    before_value VARCHAR(255) NULL,
    after_value VARCHAR(255) NULL,
    KEY audit_order (source_id, order_id),
    KEY audit_subject (subject),
    KEY audit_user (user_id)
) ENGINE=InnoDB;

-- A resync of one source: what it reads, how far it is, and what came of it.
CREATE TABLE IF NOT EXISTS resync_run (
    run_id BINARY(8) NOT NULL PRIMARY KEY,
    source_id INT UNSIGNED NOT NULL,
    state ENUM('reading','checking','judging','applying','done','refused','abandoned') NOT NULL,
    whole BOOLEAN NOT NULL,
    dry BOOLEAN NOT NULL,
    moves_watermark BOOLEAN NOT NULL,
    since BIGINT NULL,
    began_at BIGINT NOT NULL,
    shop_time BIGINT NULL,
    cursor_text VARBINARY(1000) NOT NULL DEFAULT '',
    calls BIGINT UNSIGNED NOT NULL DEFAULT 0,
    orders_read BIGINT UNSIGNED NOT NULL DEFAULT 0,
    unusable BIGINT UNSIGNED NOT NULL DEFAULT 0,
    unanswered BIGINT UNSIGNED NOT NULL DEFAULT 0,
    changes BIGINT UNSIGNED NOT NULL DEFAULT 0,
    finished_at BIGINT NULL,
    KEY resync_run_source (source_id, began_at)
) ENGINE=InnoDB;

-- Where a source stands: one run at a time, claimed before its shop is asked.
CREATE TABLE IF NOT EXISTS resync_source (
    source_id INT UNSIGNED NOT NULL PRIMARY KEY,
    run_id BINARY(8) NULL,
    lease_owner VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
    lease_until BIGINT NULL,
    watermark BIGINT NULL,
    last_success_at BIGINT NULL,
    trouble VARCHAR(255) NULL,
    checked_at BIGINT NULL
) ENGINE=InnoDB;

-- What a run has read and not applied yet: the facts of one order, sealed.
CREATE TABLE IF NOT EXISTS resync_staged (
    run_id BINARY(8) NOT NULL,
    order_id VARBINARY(128) NOT NULL,
    seq BIGINT UNSIGNED NOT NULL,
    sealed MEDIUMBLOB NOT NULL,
    PRIMARY KEY (run_id, order_id, seq)
) ENGINE=InnoDB;

-- What a run would take from whom (-1), and give (1).
CREATE TABLE IF NOT EXISTS resync_judged (
    run_id BINARY(8) NOT NULL,
    subject BINARY(32) NOT NULL,
    entitlement_key VARBINARY(64) NOT NULL,
    order_id VARBINARY(128) NOT NULL,
    line_id VARBINARY(128) NOT NULL,
    weight TINYINT NOT NULL,
    PRIMARY KEY (run_id, subject, entitlement_key, order_id, line_id)
) ENGINE=InnoDB;

-- People who were erased: a late webhook must not bring them back.
CREATE TABLE IF NOT EXISTS erased_person (
    subject BINARY(32) NOT NULL PRIMARY KEY,
    subject_kind ENUM('none','address','user') NOT NULL,
    erased_at BIGINT NOT NULL
) ENGINE=InnoDB;

-- What each worker counted since it began: purchase_drained_total is their sum.
CREATE TABLE IF NOT EXISTS worker_counter (
    worker VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    result VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    value BIGINT UNSIGNED NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (worker, result)
) ENGINE=InnoDB;

-- Keys of the keyring under which something may be sealed: noted before the first row is; resealed_at is set by
-- `keys rewrap` once nothing is. A keyring that lacks one which is not, or has another key of its name (the mark
-- tells), is refused.
CREATE TABLE IF NOT EXISTS sealing_key (
    kid VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    mark BINARY(8) NOT NULL,
    began_at BIGINT NOT NULL,
    sealed_until BIGINT NOT NULL,
    resealed_at BIGINT NULL
) ENGINE=InnoDB;

-- Which keys each running program has loaded, and which of them it seals with, as it said last.
CREATE TABLE IF NOT EXISTS key_holder (
    holder VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    kid VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    program VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    mark BINARY(8) NOT NULL,
    seals BOOLEAN NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (holder, kid),
    KEY key_holder_seen (seen_at)
) ENGINE=InnoDB;

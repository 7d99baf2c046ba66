/* placeholder */ typedef int entitlement_placeholder;

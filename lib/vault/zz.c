/* placeholder */ typedef int vault_placeholder;

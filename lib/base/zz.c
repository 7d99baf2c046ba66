/* placeholder */ typedef int base_placeholder;

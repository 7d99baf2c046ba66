/* placeholder */ typedef int shops_placeholder;

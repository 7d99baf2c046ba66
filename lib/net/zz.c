/* placeholder */ typedef int net_placeholder;

/* placeholder */ typedef int db_placeholder;

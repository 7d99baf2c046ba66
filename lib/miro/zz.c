/* placeholder */ typedef int miro_placeholder;

// SQLite's C interface.
#include <sqlite3.h>

// Texts are copied when they are bound. SQLite says so by a pointer that Swift cannot form: the number -1.
static inline int csqlite_bind_text(
    sqlite3_stmt *statement, int index, const char *text, int bytes) {
    return sqlite3_bind_text(statement, index, text, bytes, SQLITE_TRANSIENT);
}

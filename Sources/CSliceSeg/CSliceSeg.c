// The declarations of SliceSeg.h are implemented in Swift, in Sources/SliceSegC, whose compiler holds them
// to the header. This file shows that the header stands alone.

#include "SliceSeg.h"

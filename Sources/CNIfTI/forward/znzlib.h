/* Debian keeps znzlib.h in <nifti/>, but <nifti/nifti2_io.h> asks for <znzlib.h>. */
#include <nifti/znzlib.h>

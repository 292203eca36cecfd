#include "tensor/convert.h"

namespace mezzo {}

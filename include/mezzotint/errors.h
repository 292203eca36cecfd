// The kinds of error that Mezzotint reports. Every message says what happened, why, and what to do.
#pragma once

#include <stdexcept>
#include <string>

namespace mezzo {

/// Base of every error that the library throws on purpose.
class Error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The caller asked for something that cannot be done (a bad value, a missing input file).
class UsageError : public Error {
  using Error::Error;
};

/// A model file cannot be read, is not what it should be, or lacks something.
class LoadError : public Error {
  using Error::Error;
};

/// The request needs more memory than the limit or the machine gives.
class OutOfMemory : public Error {
  using Error::Error;
};

/// The caller cancelled the work.
class Cancelled : public Error {
  using Error::Error;
};

/// The disk, a device or the operating system refused (disk full, permission denied).
class DeviceError : public Error {
  using Error::Error;
};

/// A defect in Mezzotint itself.
class InternalError : public Error {
  using Error::Error;
};

}  // namespace mezzo

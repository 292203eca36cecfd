#include "server/sandbox.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>

namespace mezzo::server {
namespace {

#if defined(__x86_64__)
constexpr unsigned kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kArchitecture = AUDIT_ARCH_AARCH64;
#else
constexpr unsigned kArchitecture = 0;  // no filter
#endif

/// Never needed to read files and compute.
constexpr std::array kForbidden = {
    SYS_execve,
    SYS_execveat,
    SYS_socket,
    SYS_connect,
    SYS_bind,
    SYS_listen,
    SYS_accept4,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_mount,
    SYS_umount2,
    SYS_process_vm_writev,
    SYS_keyctl,
    SYS_bpf,
    SYS_unshare,
    SYS_setns,
    SYS_perf_event_open,
    SYS_init_module,
    SYS_kexec_load,
};

bool forbid_calls() {
  if (kArchitecture == 0) return false;
  std::array<sock_filter, 7 + 2 * kForbidden.size()> program{};
  std::size_t n = 0;
  const auto add = [&](sock_filter line) { program[n++] = line; };
  add(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)));
  add(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0));
  add(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
  add(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
#if defined(__x86_64__)
  constexpr unsigned kX32 = 0x40000000;  // the same calls under other numbers
  add(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, kX32, 0, 1));
  add(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
#endif
  for (const auto call : kForbidden) {
    add(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(call), 0, 1));
    add(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
  }
  add(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{.len = static_cast<unsigned short>(n), .filter = program.data()};
  // For every thread that there already is.
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) == 0;
}

/// When memory runs out the system shall end the worker, not the supervisor.
void offer_to_be_killed_first() {
  const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  [[maybe_unused]] const auto written = ::write(fd, "500", 3);
  ::close(fd);
}

}  // namespace

std::vector<std::string> enter_sandbox() {
  std::vector<std::string> missing;
  offer_to_be_killed_first();
  const rlimit none{.rlim_cur = 0, .rlim_max = 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) missing.emplace_back("core files stay on");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    missing.emplace_back("no-new-privileges is not available");
  if (!forbid_calls()) missing.emplace_back("seccomp is not available");
  return missing;
}

bool limit_memory(std::uint64_t bytes) {
  constexpr std::uint64_t kBeside = 256u << 20;  // stacks and whatever else nobody touches
  rlimit limit{};
  if (::getrlimit(RLIMIT_DATA, &limit) != 0) return false;
  limit.rlim_cur = limit.rlim_max = std::min<rlim_t>(bytes + bytes / 4 + kBeside, limit.rlim_max);
  return ::setrlimit(RLIMIT_DATA, &limit) == 0;
}

bool can_open_sockets() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

}  // namespace mezzo::server

// The gallery: finished pictures as ordinary files in dated folders,
// OUTPUTS/YYYY-MM-DD/NNNNN-SEED.png, their marks beside them, and an index that can be made again
// from the files alone.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/gallery_marks.h"
#include "server/job.h"
#include "server/sqlite.h"

namespace mezzo::server {

struct GalleryQuery {
  std::string words, model, sampler, tag;  // "": any
  std::string since, until;                // dates YYYY-MM-DD, both included; "": any
  bool favourites = false;
  std::int64_t before = 0;  // id; 0: from the newest
  std::int64_t limit = 60;
};

class Gallery {
 public:
  Gallery(Database& db, std::filesystem::path folder);

  /// Writes the file, then its row. Returns {id, url, thumbnail, seed, width, height}. Throws
  /// DeviceError (disk full: nothing is left behind).
  Json add(const Drawn& picture);
  /// {"images": [...], "total": n}, the newest first.
  Json search(const GalleryQuery& query);
  // Of one picture; ApiError 404 where there is none (or it is in the trash).
  Json details(std::int64_t id);
  /// Of an array of ids those of pictures that are not in the trash.
  std::set<std::int64_t> held(const Json& ids);
  std::filesystem::path file(std::int64_t id);
  std::string bytes(std::int64_t id);
  /// A small PNG; `make` draws it from the picture's bytes the first time.
  std::string thumbnail(std::int64_t id,
                        const std::function<std::string(const std::string&)>& make);
  void set_favourite(std::int64_t id, bool favourite);
  /// Takes tags away from pictures and puts others on them. Returns {"images": [{id, tags}]}.
  /// Throws ApiError before anything is changed.
  Json tag(const std::vector<std::int64_t>& ids, const std::vector<std::string>& added,
           const std::vector<std::string>& removed);
  /// {"tags": [{name, pictures}]}, in order.
  Json tags();
  void trash(std::int64_t id);
  void restore(std::int64_t id);
  /// A ZIP of the files, stored as they are.
  std::string zip(const std::vector<std::int64_t>& ids);

  /// Ends what has been in the trash for 30 days.
  void empty_trash();
  struct Rebuilt {
    std::size_t pictures = 0, added = 0, removed = 0;
    std::vector<std::string> skipped = {};  // files that hold no picture of ours
  };
  /// A file of the gallery as the worker would have told it; throws where it is no picture of ours.
  using Reader = std::function<Drawn(const std::filesystem::path&)>;
  /// Makes the index fit the files: adds what it lacks, drops what is gone, reads the marks.
  /// Pictures are not touched.
  Rebuilt rebuild(const Reader& reader);
  /// After a server that was killed: its temporary files are removed, and pictures that it had no
  /// time to put into the index are added, unless they are very many. Rows of files that are gone
  /// stay.
  Rebuilt recover(const Reader& reader);

 private:
  std::string relative_file(std::int64_t id, bool trashed);
  std::filesystem::path trash_folder() const { return folder_ / ".trash"; }
  std::filesystem::path thumbnail_file(const std::string& name) const {
    return folder_ / ".thumbnails" / name;
  }
  std::set<std::string> known_files();  // that are not in the trash
  /// Moves to and from the trash that a killed server left half done: the files decide.
  void finish_moves(const std::set<std::string>& files);
  Rebuilt add_unknown(const std::set<std::string>& files, const Reader& reader);
  std::int64_t insert(const std::string& file, const Drawn& picture, const std::string& created);
  Marks marks(std::int64_t id);
  void mark(std::int64_t id, const Marks& marks);
  void index_marks(std::int64_t id, const Marks& marks);
  void read_all_marks();

  Database& db_;
  std::filesystem::path folder_;
  std::mutex zipping_;
};

/// Writes a file whole or not at all, and never over another: false where `path` is taken. Throws
/// DeviceError.
bool write_new_file(const std::filesystem::path& path, std::string_view bytes);
/// The same, in the place of what was there.
void replace_file(const std::filesystem::path& path, std::string_view bytes);
/// Throws ApiError 404 where it is gone.
std::string read_file(const std::filesystem::path& path);

}  // namespace mezzo::server

#include "tests/fakes/power_cut_vfs.h"

#include <algorithm>
#include <atomic>
#include <new>
#include <span>

namespace keyclave::fakes {
namespace {

// What SQLite allocates and hands to every call.
struct CutFile : sqlite3_file {
  PowerCutDisk* disk = nullptr;
  std::string path;
  bool remove_on_close = false;
};

CutFile& Of(sqlite3_file* file) { return *static_cast<CutFile*>(file); }
PowerCutDisk& DiskOf(sqlite3_vfs* vfs) { return *static_cast<PowerCutDisk*>(vfs->pAppData); }

int Close(sqlite3_file* file) {
  CutFile& mine = Of(file);
  if (mine.remove_on_close) mine.disk->Remove(mine.path, false);
  mine.~CutFile();
  return SQLITE_OK;
}

int Read(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
  const std::span<uint8_t> wanted(static_cast<uint8_t*>(out), static_cast<size_t>(size));
  const auto got =
      Of(file).disk->ReadAt(Of(file).path, static_cast<uint64_t>(offset), wanted.size());
  if (!got.has_value()) return SQLITE_IOERR_READ;
  std::copy(got->begin(), got->end(), wanted.begin());
  std::fill(wanted.begin() + static_cast<std::ptrdiff_t>(got->size()), wanted.end(), uint8_t{0});
  return got->size() == wanted.size() ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

int Write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  const ByteSpan content(static_cast<const uint8_t*>(bytes), static_cast<size_t>(size));
  const bool done = Of(file).disk->Write(Of(file).path, static_cast<uint64_t>(offset), content);
  return done ? SQLITE_OK : SQLITE_IOERR_WRITE;
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  const bool done = Of(file).disk->Truncate(Of(file).path, static_cast<uint64_t>(size));
  return done ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

int Sync(sqlite3_file* file, int /*flags*/) {
  return Of(file).disk->Sync(Of(file).path) ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}

int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  const auto found = Of(file).disk->SizeOf(Of(file).path);
  if (!found.has_value()) return SQLITE_IOERR_FSTAT;
  *size = static_cast<sqlite3_int64>(*found);
  return SQLITE_OK;
}

// One process has the disk: who may write is not what is looked at here.
int Lock(sqlite3_file* /*file*/, int /*kind*/) { return SQLITE_OK; }
int CheckReservedLock(sqlite3_file* /*file*/, int* reserved) {
  *reserved = 0;
  return SQLITE_OK;
}
int FileControl(sqlite3_file* /*file*/, int /*op*/, void* /*argument*/) { return SQLITE_NOTFOUND; }
// As SQLite's own layer says of the files of Unix.
int SectorSize(sqlite3_file* /*file*/) { return 4096; }
int Characteristics(sqlite3_file* /*file*/) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

// Version 1: without shared memory and mapped files.
const sqlite3_io_methods kMethods = {1,
                                     Close,
                                     Read,
                                     Write,
                                     Truncate,
                                     Sync,
                                     FileSize,
                                     Lock,
                                     Lock,
                                     CheckReservedLock,
                                     FileControl,
                                     SectorSize,
                                     Characteristics,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr};

int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  if (name == nullptr) return SQLITE_CANTOPEN;  // temporary files: the store has none
  PowerCutDisk& disk = DiskOf(vfs);
  if (!disk.Exists(name)) {
    if ((flags & SQLITE_OPEN_CREATE) == 0 || !disk.Create(name)) return SQLITE_CANTOPEN;
  }
  auto* mine = new (static_cast<void*>(file)) CutFile();
  mine->pMethods = &kMethods;
  mine->disk = &disk;
  mine->path = name;
  mine->remove_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

int Delete(sqlite3_vfs* vfs, const char* name, int sync_directory) {
  PowerCutDisk& disk = DiskOf(vfs);
  if (disk.is_off()) return SQLITE_IOERR_DELETE;
  if (!disk.Exists(name)) return SQLITE_IOERR_DELETE_NOENT;
  return disk.Remove(name, sync_directory != 0) ? SQLITE_OK : SQLITE_IOERR_DELETE;
}

int Access(sqlite3_vfs* vfs, const char* name, int /*flags*/, int* found) {
  if (DiskOf(vfs).is_off()) return SQLITE_IOERR_ACCESS;
  *found = DiskOf(vfs).Exists(name) ? 1 : 0;
  return SQLITE_OK;
}

int FullPath(sqlite3_vfs* /*vfs*/, const char* name, int size, char* out) {
  const std::string_view path(name);
  if (path.size() >= static_cast<size_t>(size)) return SQLITE_CANTOPEN;
  *std::copy(path.begin(), path.end(), out) = '\0';
  return SQLITE_OK;
}

}  // namespace

PowerCutVfs::PowerCutVfs(PowerCutDisk& disk)
    : name_([] {
        static std::atomic<unsigned> count{0};
        return "power-cut-" + std::to_string(++count);
      }()),
      vfs_(*sqlite3_vfs_find(nullptr)) {
  // Randomness, sleeping and the time of day stay the system's.
  vfs_.iVersion = 1;
  vfs_.szOsFile = sizeof(CutFile);
  vfs_.pNext = nullptr;
  vfs_.zName = name_.c_str();
  vfs_.pAppData = &disk;
  vfs_.xOpen = Open;
  vfs_.xDelete = Delete;
  vfs_.xAccess = Access;
  vfs_.xFullPathname = FullPath;
  sqlite3_vfs_register(&vfs_, 0);
}

PowerCutVfs::~PowerCutVfs() { sqlite3_vfs_unregister(&vfs_); }

}  // namespace keyclave::fakes

// Memory that grows as needed, keeps nothing when it grows, and lies on huge pages when it is large.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <new>

namespace memory {

constexpr int64_t kHugePage = 2 << 20;

// Asks for huge pages on the whole pages inside the range; a kernel without them ignores it.
inline void advise_huge_pages(void* start, int64_t bytes) {
    const auto address = reinterpret_cast<uintptr_t>(start);
    const uintptr_t first = (address + kHugePage - 1) & ~uintptr_t{kHugePage - 1};
    const uintptr_t last = (address + static_cast<uintptr_t>(bytes)) & ~uintptr_t{kHugePage - 1};
    if (last > first) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
}

class Buffer {
  public:
    Buffer() = default;
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer() { std::free(start_); }

    // Room for `count` elements, uninitialised; earlier pointers become invalid when it grows.
    template <class Element>
    Element* room(int64_t count) {
        reserve(count * static_cast<int64_t>(sizeof(Element)));
        return static_cast<Element*>(start_);
    }

  private:
    void reserve(int64_t bytes) {
        if (bytes <= bytes_) return;
        std::free(start_);
        start_ = nullptr;
        bytes_ = 0;
        const int64_t align = bytes >= kHugePage ? kHugePage : 64;
        const int64_t rounded = (bytes + align - 1) / align * align;
        start_ = std::aligned_alloc(static_cast<size_t>(align), static_cast<size_t>(rounded));
        if (start_ == nullptr) throw std::bad_alloc();
        bytes_ = rounded;
        if (align == kHugePage) advise_huge_pages(start_, bytes_);
    }

    void* start_ = nullptr;
    int64_t bytes_ = 0;
};

}  // namespace memory

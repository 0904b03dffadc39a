/* Numbers to texts: names of tasks, strings by address. */
#include "text_out.h"

/* Place of the first entry that is not below `key`. */
static size_t
place_of(const fp_text_map *map, uint64_t key)
{
    size_t low = 0, high = map->total;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (map->entries[middle].value < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const uint8_t *
fp_text_map_find(const fp_text_map *map, uint64_t key, size_t *length)
{
    size_t at = place_of(map, key);
    if (at == map->total || map->entries[at].value != key)
        return NULL;
    *length = map->entries[at].length;
    return map->texts + map->entries[at].at;
}

bool
fp_text_map_add(fp_text_map *map, uint64_t key, const uint8_t *text, size_t length)
{
    size_t used = 0, at = place_of(map, key);
    for (size_t i = 0; i < map->total; i++)
        if ((size_t)map->entries[i].at + map->entries[i].length > used)
            used = (size_t)map->entries[i].at + map->entries[i].length;
    fp_entry *entries = realloc(map->entries, (map->total + 1) * sizeof *entries);
    if (entries == NULL)
        return false;
    map->entries = entries;
    uint8_t *texts = realloc(map->texts, used + length + FP_SLACK);
    if (texts == NULL)
        return false;
    map->texts = texts;
    memcpy(texts + used, text, length);
    memmove(entries + at + 1, entries + at, (map->total - at) * sizeof *entries);
    entries[at] = (fp_entry){.value = key, .at = (uint32_t)used, .length = (uint32_t)length};
    map->total++;
    return true;
}

void
fp_text_map_clear(fp_text_map *map)
{
    free(map->entries);
    free(map->texts);
    *map = (fp_text_map){0};
}

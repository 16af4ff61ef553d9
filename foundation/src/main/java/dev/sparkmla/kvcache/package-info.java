/**
 * The shape of the paged cache, and which of its blocks holds what for whom.
 *
 * <p>Here live the cache's shape ({@link dev.sparkmla.kvcache.CacheShape}), the pool of blocks, the
 * table of one sequence's blocks, and the index of computed prefixes. Sizes, block numbers and
 * token ids are all it knows: the memory behind a block belongs to the model, requests and their
 * order to the engine. Start at {@link dev.sparkmla.kvcache.BlockTable}.
 *
 * <h2>Ownership</h2>
 *
 * <p>A {@link dev.sparkmla.kvcache.BlockPool} owns every block. A block is in exactly one of three
 * states:
 *
 * <ul>
 *   <li><b>free</b>: its content means nothing;
 *   <li><b>referenced</b>: one or more tables count on it; each reference is given back exactly
 *       once;
 *   <li><b>cached</b>: nobody references it, but the index knows the tokens it was computed from.
 * </ul>
 *
 * <p>A {@link dev.sparkmla.kvcache.BlockTable} owns one reference to each of its blocks and gives
 * them back when it is closed. The {@link dev.sparkmla.kvcache.PrefixIndex} owns no reference: it
 * knows blocks and does not keep them.
 *
 * <h2>Synchronization</h2>
 *
 * <p>None. One thread, the engine's, uses a pool with its index and tables.
 *
 * <h2>Sharing and eviction</h2>
 *
 * <p>Only full blocks of prompt tokens are shared, and a full block is never written again; so
 * sharing needs no copy. Blocks that hold generated tokens are never shared: they are computed in
 * absorbed form, a prompt in expanded form, and the two round differently. The index finds a block
 * by the block before it and the token ids in it. The ids are compared, not merely hashed: two
 * prefixes that share a block are equal, token by token. When a sequence fills a prompt block that
 * the index already knows, the sequence takes the known one and gives its own back; hence a prefix
 * is in the cache once, and the predecessor of an indexed block is always indexed too.
 *
 * <p>A table gives its blocks back from the last to the first, and whoever takes up a prefix takes
 * it up from its first block. The cached blocks, ordered by when they were given back, therefore
 * hold every block before its predecessor. A pool without free blocks evicts the first in that
 * order: the least recently used, and never one that an indexed block still follows.
 */
package dev.sparkmla.kvcache;

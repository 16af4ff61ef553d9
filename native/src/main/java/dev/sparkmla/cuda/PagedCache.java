package dev.sparkmla.cuda;

import static dev.sparkmla.cuda.TensorChecks.requireCount;
import static dev.sparkmla.cuda.TensorChecks.requireRows;

import dev.sparkmla.kvcache.CacheShape;

/**
 * One layer of the paged cache on a device, as the kernels that write and read it take it. It owns
 * nothing; it is usable while its tensor's buffer is open. Immutable.
 *
 * @param elements [blocks, shape.page(), h_kv, shape.width()], of the type that the shape's format
 *     asks for; the model has one key/value head
 * @param shape what a token of it holds
 */
public record PagedCache(DeviceTensor elements, CacheShape shape) {
  /**
   * Checks the tensor against the shape.
   *
   * @throws CudaArgumentException where the tensor is not what the shape says, has more blocks than
   *     an int counts, or no kernel is built for pages of this size
   */
  public PagedCache {
    CudaArgumentException.require(
        shape.page() == NativeOperations.PAGE_TOKENS,
        "the cache has pages of %d tokens, kernels are built for %d",
        shape.page(),
        NativeOperations.PAGE_TOKENS);
    CudaArgumentException.require(
        elements.rank() == 4, "cache must have 4 dimensions, is %s", elements);
    requireCount("cache's blocks", elements.dimension(0));
    requireRows(
        elements.buffer().context(),
        "cache",
        elements,
        elementType(shape),
        elements.dimension(0),
        shape.page(),
        elements.dimension(2),
        shape.width());
  }

  /**
   * The layer of a model with one key/value head that starts {@code byteOffset} bytes into a
   * buffer, contiguous.
   *
   * @throws CudaArgumentException where it does not lie inside the buffer
   */
  public static PagedCache of(DeviceBuffer buffer, long byteOffset, CacheShape shape, int blocks) {
    return new PagedCache(
        DeviceTensor.of(
            buffer, byteOffset, elementType(shape), blocks, shape.page(), 1, shape.width()),
        shape);
  }

  /**
   * Whether kernels that write and read a cache of this shape are built. Needs the native library,
   * but no device.
   *
   * @throws CudaUnavailableException where this build has no native library
   */
  public static boolean supports(CacheShape shape) {
    NativeLibrary.load();
    return shape.page() == NativeOperations.PAGE_TOKENS
        && switch (shape.format()) {
          case BFLOAT16 ->
              NativeOperations.cacheSupports(shape.latent(), shape.rope())
                  && NativeDecode.supports(shape.latent(), shape.rope());
        };
  }

  private static ElementType elementType(CacheShape shape) {
    return switch (shape.format()) {
      case BFLOAT16 -> ElementType.BFLOAT16;
    };
  }

  /** How many blocks there are. */
  public int blocks() {
    return (int) elements.dimension(0);
  }

  /** Refuses a cache of another context. */
  void requireContext(CudaContext context) {
    TensorChecks.requireContext("cache", elements.buffer().context(), context);
  }
}

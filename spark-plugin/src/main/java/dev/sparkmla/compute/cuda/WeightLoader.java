package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.Resources;
import dev.sparkmla.compute.Tensor;
import dev.sparkmla.cuda.CudaContext;
import dev.sparkmla.cuda.CudaEvent;
import dev.sparkmla.cuda.CudaStream;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementOperations;
import dev.sparkmla.cuda.ElementType;
import dev.sparkmla.cuda.PinnedBuffer;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Brings weights to the device: several threads fill one of two page-locked buffers while the other
 * is copied. Elements that the device holds as another type are converted there.
 */
final class WeightLoader implements AutoCloseable {
  private static final int BUFFER_BYTES = 32 << 20;
  private static final int SLICE = 4 << 20;

  private final Resources owned = new Resources();
  private final CudaStream stream;
  private final ElementOperations operations;
  private final PinnedBuffer[] buffers = new PinnedBuffer[2];
  private final CudaEvent[] copied = new CudaEvent[2];
  private final DeviceBuffer unconverted;
  private int next;

  WeightLoader(CudaContext context, CudaStream stream) {
    this.stream = stream;
    this.operations = ElementOperations.on(context);
    try {
      for (int i = 0; i < buffers.length; i++) {
        buffers[i] = owned.own(PinnedBuffer.allocate(context, BUFFER_BYTES));
        copied[i] = owned.own(context.newEvent());
      }
      this.unconverted = owned.own(context.allocate(BUFFER_BYTES));
    } catch (RuntimeException | Error e) {
      owned.closeAfter(e);
      throw e;
    }
  }

  /** Enqueues a tensor's elements as {@code type} into {@code to} from byte {@code offset} on. */
  void load(Tensor tensor, ElementType type, DeviceBuffer to, long offset) {
    ElementType from =
        switch (tensor.type()) {
          case BF16 -> ElementType.BFLOAT16;
          case F16 -> ElementType.FLOAT16;
          case F32 -> ElementType.FLOAT32;
          case F8_E4M3 -> ElementType.FLOAT8_E4M3;
        };
    for (long done = 0; done < tensor.bytes(); done += BUFFER_BYTES) {
      int size = (int) Math.min(BUFFER_BYTES, tensor.bytes() - done);
      PinnedBuffer buffer = fill(tensor.slices(done, size));
      long elements = size / from.bytes();
      long at = offset + done / from.bytes() * type.bytes();
      if (from == type) {
        to.copyFromPinned(at, buffer, 0, size, stream);
      } else {
        unconverted.copyFromPinned(0, buffer, 0, size, stream);
        operations.convert(
            unconverted.tensor(from, elements), DeviceTensor.of(to, at, type, elements), stream);
      }
      copied[next].record(stream);
      next = 1 - next;
    }
  }

  private PinnedBuffer fill(List<ByteBuffer> slices) {
    copied[next].synchronize();
    PinnedBuffer buffer = buffers[next];
    ByteBuffer target = buffer.bytes();
    int at = 0;
    for (ByteBuffer slice : slices) {
      copy(slice, target, at);
      at += slice.capacity();
    }
    return buffer;
  }

  private static void copy(ByteBuffer from, ByteBuffer to, int at) {
    int size = from.capacity();
    IntStream.range(0, (size + SLICE - 1) / SLICE)
        .parallel()
        .forEach(
            i -> {
              int begin = i * SLICE;
              to.put(at + begin, from, begin, Math.min(SLICE, size - begin));
            });
  }

  /** Work that uses it must be done. */
  @Override
  public void close() {
    owned.close();
  }
}

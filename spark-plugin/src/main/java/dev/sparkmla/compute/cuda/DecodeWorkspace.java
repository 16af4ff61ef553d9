package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.AttentionShape;
import dev.sparkmla.cuda.CudaStream;
import dev.sparkmla.cuda.MlaDecode;
import dev.sparkmla.cuda.MlaMetadata;
import dev.sparkmla.cuda.MlaShape;
import dev.sparkmla.cuda.SplitPolicy;

/**
 * The device memory in which decode attention of one shape is scheduled, and in which the splits of
 * a sequence wait to be merged. It is as large as the largest step so far needed, and serves every
 * smaller one at the same addresses; the order of the stream keeps steps and layers apart.
 */
final class DecodeWorkspace implements AutoCloseable {
  private final AttentionShape attention;
  private final MlaDecode decode;
  private final CudaStream stream;
  private final Runnable moved;
  private MlaMetadata largest;
  private MlaMetadata later; // of the step's layers after the first

  /**
   * A workspace without memory.
   *
   * @param moved is called when addresses change, while nothing is running
   */
  DecodeWorkspace(AttentionShape attention, MlaDecode decode, CudaStream stream, Runnable moved) {
    this.attention = attention;
    this.decode = decode;
    this.stream = stream;
    this.moved = moved;
  }

  /** What the layers of a step share; the first of them enqueues how the step is scheduled. */
  MlaMetadata of(CudaPlan plan) {
    if (plan.claimScheduling(attention)) {
      int rows = plan.layout().decodeSlots();
      int columns = plan.layout().shape().tableWidth();
      grow(rows, columns);
      MlaMetadata scheduled = largest.withShape(shape(rows, columns));
      scheduled.update(plan.lengths(), stream);
      later = scheduled.settled(plan.settled());
      return scheduled;
    }
    return later;
  }

  private void grow(int rows, int columns) {
    if (largest == null) {
      largest = decode.metadata(shape(rows, columns));
      return;
    }
    MlaShape before = largest.shape();
    if (before.batch() >= rows && before.maxBlocks() >= columns) {
      return;
    }
    MlaMetadata larger =
        decode.metadata(
            shape(Math.max(rows, before.batch()), Math.max(columns, before.maxBlocks())));
    stream.synchronize();
    moved.run();
    largest.close();
    largest = larger;
  }

  private MlaShape shape(int rows, int columns) {
    return new MlaShape(
        rows,
        1,
        attention.heads(),
        1,
        attention.cache().latent(),
        attention.cache().rope(),
        columns,
        SplitPolicy.BY_LENGTH);
  }

  @Override
  public void close() {
    if (largest != null) {
      largest.close();
    }
  }
}

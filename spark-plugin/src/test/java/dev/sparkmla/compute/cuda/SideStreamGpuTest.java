package dev.sparkmla.compute.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.cuda.CudaContext;
import dev.sparkmla.cuda.CudaGraph;
import dev.sparkmla.cuda.CudaStream;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.GpuDevice;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("gpu")
class SideStreamGpuTest {
  private static final int BYTES = 256 << 20; // a copy of as many takes longer than to enqueue it

  /** The main stream fills, the side stream copies, the main stream copies the copy. */
  private static void enqueue(
      CudaStream main, SideStream side, DeviceBuffer from, DeviceBuffer middle, DeviceBuffer to) {
    from.fill(0, BYTES, (byte) 7, main);
    side.fork(stream -> middle.copyFromDevice(0, from, 0, BYTES, stream));
    side.join();
    to.copyFromDevice(0, middle, 0, BYTES, main);
  }

  private static byte last(DeviceBuffer buffer, CudaStream stream) {
    ByteBuffer bytes = ByteBuffer.allocateDirect(1);
    buffer.copyToHost(BYTES - 1, bytes, stream);
    return bytes.get(0);
  }

  @Test
  void workSeesWhatCameBeforeAndIsSeenOnceJoined() {
    try (CudaContext context = CudaContext.open(GpuDevice.at(0));
        CudaStream main = context.newStream();
        SideStream side = new SideStream(context, main);
        DeviceBuffer from = context.allocate(BYTES);
        DeviceBuffer middle = context.allocate(BYTES);
        DeviceBuffer to = context.allocate(BYTES)) {
      enqueue(main, side, from, middle, to);

      assertThat(last(to, main)).isEqualTo((byte) 7);
    }
  }

  @Test
  void workIsRecordedWithTheMainStream() {
    try (CudaContext context = CudaContext.open(GpuDevice.at(0));
        CudaStream main = context.newStream();
        SideStream side = new SideStream(context, main);
        DeviceBuffer from = context.allocate(BYTES);
        DeviceBuffer middle = context.allocate(BYTES);
        DeviceBuffer to = context.allocate(BYTES)) {
      to.fill(0, BYTES, (byte) 1, main);
      try (CudaGraph graph = CudaGraph.capture(main, () -> enqueue(main, side, from, middle, to))) {
        assertThat(last(to, main)).as("before the graph was launched").isEqualTo((byte) 1);
        graph.launch(main);
        assertThat(last(to, main)).isEqualTo((byte) 7);
      }
    }
  }

  @Test
  void workThatThrowsCanBeJoined() {
    try (CudaContext context = CudaContext.open(GpuDevice.at(0));
        CudaStream main = context.newStream();
        SideStream side = new SideStream(context, main)) {
      IllegalStateException failure = new IllegalStateException("work");

      assertThatThrownBy(
              () ->
                  side.fork(
                      stream -> {
                        throw failure;
                      }))
          .isSameAs(failure);
      side.join();
      main.synchronize();
    }
  }
}

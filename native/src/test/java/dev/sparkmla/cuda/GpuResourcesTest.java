package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Devices, contexts, buffers, streams and events on a real device. */
@Tag("gpu")
class GpuResourcesTest {
  @Test
  void describesTheDevices() {
    List<GpuDevice> devices = GpuDevice.all();
    GpuDevice device = devices.get(0);
    assertThat(device.ordinal()).isZero();
    assertThat(device.name()).startsWith("NVIDIA");
    assertThat(device.computeCapability()).isEqualTo(ComputeCapability.HOPPER);
    assertThat(device.totalMemoryBytes()).isGreaterThan(60L << 30);
    assertThat(device.multiprocessors()).isBetween(60, 200);
    assertThat(device.uuid()).isNotNull().isEqualTo(GpuDevice.at(0).uuid());
    assertThat(GpuDevice.driverVersion()).isGreaterThanOrEqualTo(12000);
    assertThatThrownBy(() -> GpuDevice.at(devices.size()))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining("device " + devices.size() + " does not exist");
  }

  @Test
  void copiesBytesUnchanged() {
    byte[] bytes = new byte[10_000_003];
    new Random(1).nextBytes(bytes);
    try (CudaContext context = CudaContext.open(GpuDevice.at(0));
        CudaStream stream = context.newStream();
        DeviceBuffer buffer = context.allocate(bytes.length);
        DeviceBuffer copy = context.allocate(bytes.length)) {
      assertThat(context.allocatedBytes()).isEqualTo(2L * bytes.length);
      buffer.copyFromHost(0, ByteBuffer.wrap(bytes), stream);
      copy.copyFromDevice(0, buffer, 0, bytes.length, stream);
      ByteBuffer back = ByteBuffer.allocate(bytes.length);
      copy.copyToHost(0, back, stream);
      assertThat(back.array()).isEqualTo(bytes);
      assertThat(back.position()).isZero();

      // A direct buffer from its position on, to an odd place; then out of the middle.
      ByteBuffer direct = ByteBuffer.allocateDirect(100);
      direct.put(bytes, 0, 100).position(40).limit(90);
      copy.copyFromHost(7, direct, stream);
      assertThat(direct.position()).isEqualTo(40);
      ByteBuffer middle = ByteBuffer.allocateDirect(64);
      middle.position(4).limit(60);
      copy.copyToHost(5, middle, stream);
      assertThat(middle.get(4)).isEqualTo(bytes[5]);
      assertThat(middle.get(6)).isEqualTo(bytes[40]);
      assertThat(middle.get(55)).isEqualTo(bytes[89]);
      assertThat(middle.get(56)).isEqualTo(bytes[57]);
      assertThat(middle.get(60 - 1)).isEqualTo(bytes[60]);

      copy.fill(3, 5, (byte) 0x5A, stream);
      ByteBuffer filled = ByteBuffer.allocate(10);
      copy.copyToHost(0, filled, stream);
      assertThat(filled.array())
          .containsExactly(
              bytes[0], bytes[1], bytes[2], 0x5A, 0x5A, 0x5A, 0x5A, 0x5A, bytes[41], bytes[42]);
    }
  }

  @Test
  void refusesRangesOutsideTheBuffer() {
    try (CudaContext context = CudaContext.open(GpuDevice.at(0));
        CudaStream stream = context.newStream();
        DeviceBuffer buffer = context.allocate(100)) {
      assertThatThrownBy(() -> buffer.copyFromHost(60, ByteBuffer.allocate(41), stream))
          .isInstanceOf(CudaArgumentException.class)
          .hasMessage("copy from the host: 41 bytes at offset 60 of a buffer of 100");
      assertThatThrownBy(() -> buffer.fill(-1, 4, (byte) 0, stream))
          .isInstanceOf(CudaArgumentException.class);
      assertThatThrownBy(() -> buffer.copyFromDevice(0, buffer, 99, 2, stream))
          .isInstanceOf(CudaArgumentException.class);
      assertThatThrownBy(() -> buffer.copyToHost(Long.MAX_VALUE, ByteBuffer.allocate(4), stream))
          .isInstanceOf(CudaArgumentException.class);
    }
  }

  @Test
  void countsWhatIsOpenAndRefusesToCloseBeforeIt() {
    CudaContext context = CudaContext.open(GpuDevice.at(0));
    long free = context.freeMemoryBytes();
    CudaStream stream = context.newStream();
    CudaEvent event = context.newEvent();
    DeviceBuffer buffer = context.allocate(1L << 30);
    assertThat(context.freeMemoryBytes()).isLessThanOrEqualTo(free - (1L << 30));
    assertThat(context.openResources()).isEqualTo(3);
    assertThatThrownBy(context::close)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("{buffers=1, events=1, streams=1}");
    buffer.close();
    assertThat(context.freeMemoryBytes()).isGreaterThan(free - (1L << 29));
    event.close();
    stream.close();
    assertThatThrownBy(stream::synchronize).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(event::close).isInstanceOf(IllegalStateException.class);
    assertThat(context.openResources()).isZero();
    context.close();
    assertThatThrownBy(context::close).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> context.allocate(16)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void moreMemoryThanThereIsIsAnErrorThatNamesTheCallAndTheDevice() {
    try (CudaContext context = CudaContext.open(GpuDevice.at(0))) {
      assertThatThrownBy(() -> context.allocate(1L << 50))
          .isExactlyInstanceOf(CudaException.class)
          .hasMessageContaining("cuMemAlloc of 1125899906842624 bytes")
          .hasMessageContaining("CUDA_ERROR_OUT_OF_MEMORY")
          .hasMessageContaining("device 0 (NVIDIA");
      assertThat(context.openResources()).isZero();
      assertThat(context.allocatedBytes()).isZero();
      context.allocate(1 << 20).close();
    }
  }

  @Test
  void eventsOrderStreamsAndTellTime() {
    try (CudaContext context = CudaContext.open(GpuDevice.at(0));
        CudaStream first = context.newStream();
        CudaStream second = context.newStream();
        CudaEvent begun = context.newEvent();
        CudaEvent done = context.newEvent();
        DeviceBuffer source = context.allocate(1L << 30);
        DeviceBuffer target = context.allocate(1L << 30)) {
      begun.record(first);
      for (int round = 1; round <= 3; round++) {
        source.fill(0, source.bytes(), (byte) round, first);
      }
      done.record(first);
      second.waitFor(done);
      target.copyFromDevice(0, source, 0, source.bytes(), second);
      ByteBuffer end = ByteBuffer.allocate(1);
      target.copyToHost(target.bytes() - 1, end, second);
      assertThat(end.get(0)).isEqualTo((byte) 3);
      done.synchronize();
      assertThat(done.millisecondsSince(begun)).isPositive();
    }
  }

  @Test
  void aCaptureThatFailsLeavesTheStreamUsable() {
    try (CudaContext context = CudaContext.open(GpuDevice.at(0));
        CudaStream stream = context.newStream();
        DeviceBuffer buffer = context.allocate(16)) {
      int open = context.openResources();
      List<Runnable> failures =
          List.of(
              () -> {
                throw new IllegalStateException("the work fails");
              },
              stream::synchronize);
      for (int i = 0; i < failures.size(); i++) {
        byte before = (byte) i;
        Runnable failure = failures.get(i);
        buffer.fill(0, 16, before, stream);
        assertThatThrownBy(
                () ->
                    CudaGraph.capture(
                        stream,
                        () -> {
                          buffer.fill(0, 16, (byte) 99, stream);
                          failure.run();
                        }))
            .isInstanceOfAny(IllegalStateException.class, CudaException.class)
            .isNotInstanceOf(CudaFatalException.class);
        assertThat(context.openResources()).isEqualTo(open);
        ByteBuffer bytes = ByteBuffer.allocate(1);
        buffer.copyToHost(0, bytes, stream);
        assertThat(bytes.get(0)).as("nothing was carried out").isEqualTo(before);
      }
      try (CudaGraph graph =
          CudaGraph.capture(stream, () -> buffer.fill(0, 16, (byte) 7, stream))) {
        graph.launch(stream);
        ByteBuffer bytes = ByteBuffer.allocate(1);
        buffer.copyToHost(0, bytes, stream);
        assertThat(bytes.get(0)).isEqualTo((byte) 7);
      }
    }
  }
}

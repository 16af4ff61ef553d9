package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which results of CUDA end the use of the device in this process. */
class DriverTest {
  private final GpuDevice device = FakeDevice.device(9, 0);

  @ParameterizedTest(name = "code {0}")
  @ValueSource(
      ints = {214, 220, 226, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 810, 911, 999})
  void errorsThatLeaveTheContextUnusableAreFatal(int code) {
    assertThat(Driver.failure("cuStreamSynchronize", code, "reason", device))
        .isInstanceOf(CudaFatalException.class)
        .hasMessageContaining("cuStreamSynchronize failed with " + code)
        .hasMessageContaining("start a new process");
  }

  @ParameterizedTest(name = "code {0}")
  @ValueSource(ints = {1, 2, 100, 201, 400, 701, 720, 801, 900, 909})
  void otherErrorsAreNot(int code) {
    assertThat(Driver.failure("cuMemAlloc", code, "reason", device))
        .isExactlyInstanceOf(CudaException.class)
        .hasMessageContaining("device 0 (NVIDIA H200)");
  }
}

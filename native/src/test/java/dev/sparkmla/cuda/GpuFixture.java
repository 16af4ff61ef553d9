package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestInstance;

/** The first device, open for all tests of a class, none of which may leave anything open on it. */
@Tag("gpu")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class GpuFixture {
  CudaContext context;
  CudaStream stream;
  RandomPool pool;
  private int openBefore;

  @BeforeAll
  void openDevice() {
    context = CudaContext.open(GpuDevice.at(0));
    stream = context.newStream();
    pool = new RandomPool(context, 1, stream);
    openBefore = context.openResources();
  }

  @AfterEach
  void nothingLeaks() {
    assertThat(context.openResources()).isEqualTo(openBefore);
  }

  @AfterAll
  void closeDevice() {
    pool.close();
    stream.close();
    assertThat(context.allocatedBytes()).isZero();
    context.close();
  }
}

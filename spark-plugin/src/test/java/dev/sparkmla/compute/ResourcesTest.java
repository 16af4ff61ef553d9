package dev.sparkmla.compute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ResourcesTest {
  private final List<String> closed = new ArrayList<>();
  private final Resources resources = new Resources();

  private AutoCloseable named(String name) {
    return () -> closed.add(name);
  }

  private AutoCloseable failing(String name) {
    return () -> {
      closed.add(name);
      throw new IllegalStateException(name + " is in use");
    };
  }

  @Test
  void closesTheLastFirstAndOnce() {
    resources.own(named("context"));
    resources.own(named("stream"));
    resources.close();
    resources.close();
    assertThat(closed).containsExactly("stream", "context");
  }

  @Test
  void closesTheRestWhereOneFails() {
    resources.own(failing("context"));
    resources.own(failing("stream"));
    resources.own(named("buffer"));
    assertThatThrownBy(resources::close)
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("closing failed: stream is in use")
        .satisfies(
            e ->
                assertThat(e.getSuppressed())
                    .singleElement()
                    .satisfies(other -> assertThat(other).hasMessage("context is in use")));
    assertThat(closed).containsExactly("buffer", "stream", "context");
  }

  @Test
  void addsToTheFailureThatItFollows() {
    resources.own(failing("context"));
    Exception failure = new Exception("out of memory");
    resources.closeAfter(failure);
    assertThat(failure.getSuppressed())
        .singleElement()
        .satisfies(unclosed -> assertThat(unclosed).hasMessageContaining("context is in use"));
    assertThat(closed).containsExactly("context");
  }
}

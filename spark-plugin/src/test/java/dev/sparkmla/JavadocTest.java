package dev.sparkmla;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What users call is documented whole: every parameter, result and exception. */
class JavadocTest {
  @TempDir private Path output;

  @Test
  void documentsThePublicApi() throws IOException {
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    DiagnosticCollector<JavaFileObject> found = new DiagnosticCollector<>();
    try (StandardJavaFileManager files = compiler.getStandardFileManager(found, null, null);
        Stream<Path> sources =
            Files.walk(Path.of("src", "main", "java", "dev", "sparkmla", "sql"))) {
      List<String> options =
          List.of(
              "-Xdoclint:all/protected",
              "-proc:none",
              "-implicit:none",
              "-cp",
              System.getProperty("java.class.path"),
              "-d",
              output.toString());
      compiler
          .getTask(
              null,
              files,
              found,
              options,
              null,
              files.getJavaFileObjectsFromPaths(sources.filter(Files::isRegularFile).toList()))
          .call();
    }
    assertThat(found.getDiagnostics())
        .filteredOn(
            problem ->
                problem.getKind() == Diagnostic.Kind.ERROR
                    || problem.getKind() == Diagnostic.Kind.WARNING)
        .extracting(Diagnostic::toString)
        .isEmpty();
  }
}

package dev.sparkmla;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Rooms know the ones below them alone. Spark is known above the engine alone; Arrow is known where
 * batches are written, passed on and read.
 */
@AnalyzeClasses(packages = "dev.sparkmla", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
  @ArchTest
  static final ArchRule IMPORTS_RUN_ONE_WAY =
      layeredArchitecture()
          .consideringOnlyDependenciesInAnyPackage("dev.sparkmla..")
          .layer("sql")
          .definedBy("dev.sparkmla.sql..")
          .layer("plugin")
          .definedBy("dev.sparkmla.plugin..")
          .layer("ui")
          .definedBy("dev.sparkmla.ui..")
          .layer("metrics")
          .definedBy("dev.sparkmla.metrics..")
          .layer("arrow")
          .definedBy("dev.sparkmla.arrow..")
          .layer("engine")
          .definedBy("dev.sparkmla.engine..")
          .layer("kvcache")
          .definedBy("dev.sparkmla.kvcache..")
          .layer("policy")
          .definedBy("dev.sparkmla.policy..")
          .layer("text")
          .definedBy("dev.sparkmla.text..")
          .layer("model")
          .definedBy("dev.sparkmla.model..")
          .layer("compute")
          .definedBy("dev.sparkmla.compute..")
          .layer("cuda")
          .definedBy("dev.sparkmla.cuda..")
          .layer("grammar")
          .definedBy("dev.sparkmla.grammar..")
          .layer("json")
          .definedBy("dev.sparkmla.json..")
          .whereLayer("sql")
          .mayNotBeAccessedByAnyLayer()
          .whereLayer("plugin")
          .mayOnlyBeAccessedByLayers("sql")
          .whereLayer("ui")
          .mayOnlyBeAccessedByLayers("plugin")
          .whereLayer("metrics")
          .mayOnlyBeAccessedByLayers("plugin", "ui")
          .whereLayer("engine")
          .mayOnlyBeAccessedByLayers("sql", "plugin", "metrics", "ui")
          .whereLayer("arrow")
          .mayOnlyBeAccessedByLayers("sql", "plugin", "metrics", "ui", "engine")
          .whereLayer("kvcache")
          .mayNotAccessAnyLayer()
          .whereLayer("policy")
          .mayNotAccessAnyLayer()
          .whereLayer("json")
          .mayNotAccessAnyLayer()
          .whereLayer("text")
          .mayOnlyBeAccessedByLayers("sql", "plugin", "arrow", "engine")
          .whereLayer("grammar")
          .mayOnlyBeAccessedByLayers("sql", "plugin", "engine")
          .whereLayer("model")
          .mayOnlyBeAccessedByLayers("plugin", "engine")
          .whereLayer("compute")
          .mayOnlyBeAccessedByLayers("plugin", "engine", "model")
          .whereLayer("cuda")
          .mayOnlyBeAccessedByLayers("plugin", "compute");

  @ArchTest
  static final ArchRule SPARK_IS_KNOWN_ABOVE_THE_ENGINE =
      noClasses()
          .that()
          .resideOutsideOfPackages(
              "dev.sparkmla.sql..",
              "dev.sparkmla.plugin..",
              "dev.sparkmla.metrics..",
              "dev.sparkmla.ui..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("org.apache.spark..", "scala..");

  @ArchTest
  static final ArchRule VECTORS_ARE_KNOWN_WHERE_BATCHES_ARE_WRITTEN_AND_READ =
      noClasses()
          .that()
          .resideOutsideOfPackages("dev.sparkmla.sql..", "dev.sparkmla.arrow..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("org.apache.arrow.vector..");

  @ArchTest
  static void everyPackageSaysWhatItIsFor(JavaClasses classes) throws Exception {
    Set<String> packages =
        classes.stream()
            .filter(type -> isOfThisModule(type))
            .map(JavaClass::getPackageName)
            .collect(Collectors.toCollection(TreeSet::new));
    assertThat(packages).isEqualTo(documentedPackages());
  }

  private static boolean isOfThisModule(JavaClass type) {
    return Stream.of("cuda", "kvcache", "policy")
        .noneMatch(room -> type.getPackageName().startsWith("dev.sparkmla." + room));
  }

  private static Set<String> documentedPackages() throws IOException, URISyntaxException {
    Path sources = Path.of("src", "main", "java");
    try (Stream<Path> files = Files.walk(sources)) {
      return files
          .filter(file -> file.endsWith("package-info.java"))
          .map(file -> sources.relativize(file.getParent()).toString().replace('/', '.'))
          .collect(Collectors.toCollection(TreeSet::new));
    }
  }
}

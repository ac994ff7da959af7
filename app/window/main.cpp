// SPDX-License-Identifier: GPL-3.0-or-later
// tamis [FILE...]: the window.
#include "app/session/autosave.h"
#include "app/window/main_window.h"
#include "core/base/blas_threads.h"
#include "views/common/theme.h"

#include <QApplication>
#include <QCommandLineParser>
#include <QSettings>
#include <QTimer>

#include <clocale>

int main(int argc, char** argv)
{
    tamis::prepareBlas(argv);
    QApplication application(argc, argv);
    std::setlocale(LC_NUMERIC, "C"); // numbers are the same everywhere
    QCoreApplication::setOrganizationName(QStringLiteral("Tamis"));
    QCoreApplication::setApplicationName(QStringLiteral("Tamis"));
    QCoreApplication::setApplicationVersion(QStringLiteral(TAMIS_VERSION));
    QGuiApplication::setDesktopFileName(QStringLiteral("org.tamis.Tamis"));

    QCommandLineParser parser;
    parser.setApplicationDescription(QStringLiteral("A workbench for making neural encoders cheaper to run without ruining them."));
    parser.addHelpOption();
    parser.addVersionOption();
    parser.addPositionalArgument(QStringLiteral("files"), QStringLiteral("Checkpoint, session, plan or calibration set to open."),
                                 QStringLiteral("[FILE...]"));
    parser.process(application);

    const int mode = QSettings().value(QStringLiteral("theme"), 0).toInt();
    tamis::views::Theme::instance().apply(application, static_cast<tamis::views::Theme::Mode>(qBound(0, mode, 2)));
    const QString autosave = tamis::app::Autosave::defaultDirectory();
    int status = 0;
    {
        tamis::app::MainWindow window(autosave);
        window.show();
        for (const auto& file : parser.positionalArguments())
            window.open(file);
        QTimer::singleShot(0, &window, [&] { window.offerRecovery(autosave); });
        status = QApplication::exec();
    }
    return status;
}

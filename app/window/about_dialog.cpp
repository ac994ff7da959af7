// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/about_dialog.h"

#include "core/base/blas_threads.h"
#include "views/common/icons.h"

#include <QCoreApplication>
#include <QDialogButtonBox>
#include <QLabel>
#include <QVBoxLayout>

namespace tamis::app {

AboutDialog::AboutDialog(QWidget* parent) : QDialog(parent)
{
    setWindowTitle(tr("About Tamis"));
    setObjectName(QStringLiteral("aboutDialog"));
    auto* icon = new QLabel(this);
    icon->setPixmap(views::applicationIcon().pixmap(64, 64));
    auto* text = new QLabel(this);
    text->setTextFormat(Qt::RichText);
    text->setTextInteractionFlags(Qt::TextBrowserInteraction);
    text->setWordWrap(true);
    text->setMinimumWidth(440);
    text->setText(tr("<h2>Tamis %1</h2>"
                     "<p>A workbench for making neural encoders cheaper to run without ruining them.</p>"
                     "<p>GNU General Public License, version 3 or later. Built on Qt %2, Qt Charts, VTK, Eigen, oneTBB, HDF5 and "
                     "OpenBLAS (kernels in use: %3).</p>"
                     "<p>Bundled photos under CC BY 2.0: <i>china.jpg</i> by danielbuechele, <i>flower.jpg</i> by vultilion; reduced in "
                     "size. All others are in the public domain or CC0: see datasets/photos/LICENCES.tsv.</p>")
                      .arg(QCoreApplication::applicationVersion(), QString::fromLatin1(qVersion()), QString::fromLatin1(blasCoreName())));
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close, this);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    auto* layout = new QVBoxLayout(this);
    layout->addWidget(icon);
    layout->addWidget(text);
    layout->addWidget(buttons);
}

} // namespace tamis::app
